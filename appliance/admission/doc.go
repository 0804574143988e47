// Package admission tells, before a session is accepted, whether the machine has
// memory and file descriptors for it. If an appliance takes too much, the kernel
// kills it with all its sessions. If it refuses some sessions, it keeps the others.
//
// The package measures the memory in use; it does not compute it. It measures the
// process (resident memory without files), its control group (without page cache
// that can be given back), and the machine. A session that has just begun has not
// taken its memory yet. The package therefore counts it in advance for half a
// second.
package admission
