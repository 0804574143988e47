// Package keeper is the parent process of the appliance. It reads nothing that comes
// from the network. It holds the descriptors that must outlive a process which does, and
// starts that process: a worker.
//
// # Processes
//
// `clearspan run` is the keeper. It stays who started it, with its capabilities. A worker
// is the same program (/proc/self/exe role worker) with one inherited socket, see package
// role. A worker opens what is its own, gives up its rights, says that it is ready, and
// serves. Two workers can be there at once: the newest takes new connections, older ones
// let theirs end.
//
//	start    open resources, start a worker, wait until it is ready
//	reload   the worker changes in place, or a new one with the new configuration takes over
//	upgrade  the keeper runs the new program in its own place, then a new worker takes over
//	death    a worker that ends unasked, or stops its beats, is replaced
//	stop     resources close, workers let their sessions end
//
// # Resources
//
// A [Resource] is something that the configuration names and workers use one after the
// other: a listener, or rules of the kernel with their listener. The keeper opens it
// once. Connections wait in a listener's queue while no worker accepts. A resource is
// known by its key: a reload that keeps the key keeps the resource, even if its name
// changes. The keeper closes a resource when the configuration in force has no use for
// it.
//
// # Changes
//
// One change is under way at a time. A new worker that is not ready after
// [Config.Patience] ends, and the old one goes on: nothing was taken from it. When the
// new one is ready it accepts connections already. Only then the old one is told to
// drain, and resources without a use close. No connection is refused in between.
//
// A listener whose address overlaps that of one which the new plan does without, such as
// :8080 and 127.0.0.1:8080, opens beside it. What waits for the old one goes on to be
// accepted.
//
// A sole resource is there once by its name, as rules of the kernel are. A plan with
// another one of the same name waits for a restart: the worker changes what it can in
// place.
//
// # Deaths
//
// The first replacement starts at once, later ones after 0.1, 0.5, 2 and 10 s. After
// five deaths in a minute the box is failed: all resources close, so that connections
// are refused or pass, as without clearspan. The keeper tries again every 10 s.
//
// If the keeper ends, each worker sees the end of its socket. It drains, and ends. A worker
// that is tied, see [Plan.Tied], is killed by the kernel.
//
// # Trust
//
// A worker may be taken over by what it reads. The keeper takes a few kinds of messages
// from it, none of which names a path, a program or an address. Orders come by signals,
// and by the keeper's own socket, which serves root and the keeper's user, and no
// worker. A worker that breaks the contract is ended.
package keeper
