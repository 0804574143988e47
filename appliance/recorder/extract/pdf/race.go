//go:build race

package pdf

// instrumented says that the race detector is in the program: to compile the module takes
// minutes then.
const instrumented = true
