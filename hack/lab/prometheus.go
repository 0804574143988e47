package lab

// Promtool is the program that checks alert rules and expressions, of Debian's package
// prometheus.
var Promtool = programOf("prometheus")
