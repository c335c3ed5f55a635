let kept = [], caught = 0;
while (caught < 3) { try { for (;;) kept.push(new Uint8Array(1 << 20)); } catch (e) { caught++; print("caught: " + e); } }
print("still running after " + caught + " out-of-memory errors");
