// Package wirefuzz searches for ways around a wire: sequences of segments by which
// octets reach an application that the wire's hook never saw. It holds tests only.
//
// A case is a sequence of crafted segments. One end of the wire sends them by a
// packet socket, the other end is a plain Linux TCP socket. The wire runs with a hook
// that terminates one server name and tunnels another. The law: what the application
// of the origin received is what the hook decided on, or what a session of ours
// relayed. Everything else is a divergence.
//
// The evasions that are known by name are cases, too. They run in a wire of either
// take-over and in a router that diverts connections (tproxy). Each has its hello judged,
// or dropped and counted.
//
// Other cases come from seeds:
//
//	go test ./appliance/intake/wire/wirefuzz -run TestFuzz -seed 4711
//	go test ./appliance/intake/wire/wirefuzz -run TestFuzz -seed 1 -cases 10000 -survey
//
// A divergence is reduced to the steps and fields it needs, and printed with its seed.
// Cases that diverged once are kept in testdata and run first.
package wirefuzz
