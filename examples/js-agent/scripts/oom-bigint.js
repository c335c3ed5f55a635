// Large numbers, each below the engine's own limit of a million bits.
print("computing large numbers");
const kept = [];
try {
  for (let n = 1n; ; n++) {
    const large = (1n << 900_000n) + n;
    kept.push(large, large >> n, -large);
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
