// A chain of closures, each of which keeps the one before, and some variables, alive.
print("chaining closures");
let last = () => 0;
try {
  for (let n = 0; ; n++) {
    const before = last, text = "closure " + n;
    last = () => (n ? before : text);
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
