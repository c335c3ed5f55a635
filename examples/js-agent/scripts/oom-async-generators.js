// Suspended frames: of generators, and of async generators that are awaited on from outside.
print("suspending generators");
const kept = [];
function* numbers(from) {
  try {
    for (;;) yield from++;
  } finally {
    print("caught nothing, but a generator's finally ran");
  }
}
async function* later(from) {
  try {
    yield* numbers(from);
  } finally {
    print("caught nothing, but an async generator's finally ran");
  }
}
async function main() {
  try {
    for (let n = 0; ; n++) {
      const each = numbers(n), other = later(n);
      kept.push(each, each.next(), other, await other.next());
    }
  } catch (e) {
    print("caught: " + e);
  } finally {
    print("caught nothing, but finally ran");
  }
}
main().catch((e) => print("caught late: " + e)).finally(() => print("still running"));
