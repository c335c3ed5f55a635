// Objects of ever new shapes: properties, their names, and the engine's tables of both.
print("filling objects");
const kept = [];
try {
  for (let n = 0; ; n++) {
    const object = { n };
    for (let k = 0; k < 8; k++) object["property" + n + "of" + k] = { k };
    Object.defineProperty(object, "sum", { get() { return this.n + n; } });
    kept.push(object);
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
