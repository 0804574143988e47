//go:build !race

package pdf

// instrumented says that the race detector is in the program.
const instrumented = false
