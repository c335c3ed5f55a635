//! Each safeguard, left out, makes a model fail.
//!
//! Layer 2.  Plane: control.

use std::process::{Command, Stdio};

use super::super::mutant::{ALL, Mutant};

/// The model that is there to catch a mutant.
fn witness(mutant: Mutant) -> &'static str {
    match mutant {
        Mutant::NoLightFence | Mutant::NoHeavyFence => "a1::over_budget_membarrier",
        Mutant::RelaxedWords | Mutant::FreedFirst => "a2::token_membarrier",
        Mutant::NoPending => "a2::never_satisfiable_of_the_whole_budget",
        Mutant::EarlyRollback => "a2::never_satisfiable_beyond_the_budget",
        Mutant::NoThaw => "life::thaws",
        Mutant::ThawInDebt => "a1::handler_within_its_lease",
        Mutant::ThawUnbooked => "a1::over_budget_membarrier",
        Mutant::HandlerUnseen => "a1::handler_that_folds",
        Mutant::AvailBeforePending => "a1::handler_short_of_its_lease",
        Mutant::TakeUnfenced => "a1::over_budget_membarrier_fails_later",
        Mutant::NoRealFence | Mutant::NoLocalFence => "a1::over_budget_fenced",
        Mutant::UnchargeAvail => "a2::inner_null",
        Mutant::NoParking | Mutant::ParkLate => "a2::inside_a_cluster",
        Mutant::ExitUnfolded => "life::exit_against_recall",
        Mutant::OwnClusterOnly => "a2::siblings",
        Mutant::PlaceLate => "a2::inside_a_cluster",
        Mutant::EndUnfrozen => "ends::a_block_moves_as_its_cluster_ends",
        Mutant::EndUnwiped => "ends::a_number_is_used_anew",
    }
}

#[test]
fn every_mutant_is_caught() {
    if std::env::var_os("FAILFAST_MUTANT").is_some() {
        return; // We are one of the children below.
    }
    let survivors: Vec<_> = ALL.iter().filter(|&&mutant| survives(mutant)).collect();
    assert!(survivors.is_empty(), "no model fails without the safeguards {survivors:?}");
}

fn survives(mutant: Mutant) -> bool {
    let model = format!("ledger::models::{}", witness(mutant));
    let output = Command::new(std::env::current_exe().unwrap())
        .args([model.as_str(), "--exact"])
        .env("FAILFAST_MUTANT", format!("{mutant:?}"))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "no model is called {model}");
    output.status.success()
}
