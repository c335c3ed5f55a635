// Patterns that are compiled and kept, and the matches of a global one.
print("compiling regular expressions");
const kept = [];
try {
  for (let n = 0; ; n++) {
    const pattern = new RegExp("(?<word>[a-z]+" + n + ")|\\p{Letter}{2," + (3 + n % 7) + "}\\b", "giu");
    kept.push(pattern, ("Straße und Löwe " + n).match(pattern), pattern.exec("word" + n));
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
