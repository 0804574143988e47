// Package capture reads the frames of a network port, in either direction, as a
// recorder does: the other end of package afpacket. It needs CAP_NET_RAW.
package capture
