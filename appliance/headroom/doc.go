// Package headroom tells, before a session is accepted, whether the machine has
// memory and file descriptors left for it. An appliance that takes more than there
// is gets killed, with all sessions that it had; one that refuses some keeps the
// others.
//
// What is in use is measured, not computed: by the process (resident memory
// without files), by its control group (without page cache that can be given
// back), by the machine. Sessions that have just begun have not taken yet what
// they will take, so that each counts in advance for half a second.
package headroom
