// Recursion of plain functions: frames of the engine, and not one allocation. Run with
// `--native-stack`.
print("recursing");
function dive(depth) {
  try {
    return 1 + dive(depth + 1);
  } catch (e) {
    print("caught: " + e);
  } finally {
    print("caught nothing, but finally ran");
  }
}
print("still running at " + dive(0));
