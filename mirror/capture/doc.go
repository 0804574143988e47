// Package capture reads the frames of a network port in both directions, as a
// recorder does. It is the counterpart of package afpacket. It needs CAP_NET_RAW.
package capture
