// Package health holds the state of every part of the box: what it is, since when, and
// why. It is the only source of readiness, of the status of a box and of the metrics of
// state.
//
// A [Board] has parts. A part has a probe, which is asked when somebody looks and a few
// times a second, or is set by the code that knows. The board tells since when a part is
// in its state, and makes an [Alert] of each state that somebody must act on.
//
// The package decides nothing: no session is treated in another way because a part is
// down.
package health
