// One match, whose backtracking needs ever more memory inside the engine's matcher.
print("matching");
let text = "ab".repeat(1 << 10);
try {
  for (;;) {
    /^(?:(a)|(b)|(ab))*$/.exec(text);
    text += text;
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
