// Very many small arrays, in one that grows by reallocation.
print("filling arrays");
const kept = [];
try {
  for (;;) kept.push([kept.length, [kept.length]]);
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running with " + kept.length);
