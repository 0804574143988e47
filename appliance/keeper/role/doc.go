// Package role is the contract between the keeper and the processes that it starts, and
// the side of those processes.
//
// Both ends of a socket pair send messages: four octets with the length, then JSON with
// a kind. The first message of the keeper is [Start]. Descriptors travel beside the
// message that names them (SCM_RIGHTS).
//
//	keeper -> role    start, reload, drain, end, answer
//	role -> keeper    ready, beat, state, ask, done, end
//
// A role is a function of type [Func]. It gets its configuration and descriptors, and
// does not know whether it has a process of its own: [Main] runs it in one, tests call
// it as it is.
package role
