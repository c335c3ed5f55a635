// One string, twice as long each time. (`repeat` copies; `+` would only build a rope.)
print("doubling a string");
try {
  for (let text = "0123456789abcdef"; ; ) text = text.repeat(2);
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
