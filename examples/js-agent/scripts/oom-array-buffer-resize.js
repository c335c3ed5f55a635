// Buffers that are resized in place, and moved to a larger one by `transfer`.
print("resizing buffers");
const kept = [];
try {
  for (;;) {
    const buffer = new ArrayBuffer(1 << 10, { maxByteLength: 1 << 16 });
    for (let size = 1 << 11; size <= 1 << 16; size *= 2) buffer.resize(size);
    kept.push(new Float64Array(buffer), buffer.slice(7).transfer(1 << 18));
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
