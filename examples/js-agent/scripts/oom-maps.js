// Hash tables that grow while they are in use.
print("filling maps");
const map = new Map(), set = new Set(), weak = new WeakMap();
try {
  for (let n = 0; ; n++) {
    const key = { n };
    map.set("key " + n, key).set(key, n);
    set.add(n / 3);
    weak.set(key, new Map([[n, key]]));
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running with " + map.size + set.size);
