// Package link follows one network interface for the sinks that send on it: its
// state, MTU, re-creation, counters and transmit checksum offload.
package link
