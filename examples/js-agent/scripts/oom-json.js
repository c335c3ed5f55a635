// JSON of JSON: every quotation mark doubles its backslashes, and parsing builds what it reads.
print("growing JSON");
let text = '{"list":["text"],"number":1}';
try {
  for (;;) {
    const parsed = JSON.parse(text);
    text = JSON.stringify({ text, parsed, again: [parsed, parsed] }, null, 2);
  }
} catch (e) {
  print("caught: " + e);
} finally {
  print("caught nothing, but finally ran");
}
print("still running");
