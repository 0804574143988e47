// Package capfile reads captures: pcap and pcapng, of every byte order, accuracy and link
// type, perhaps compressed by gzip, bzip2 or Zstandard.
//
// A [Reader] hands out slices of its buffer and allocates nothing for a frame without a
// comment. Its memory is bounded for any input: a record may have 16 MiB.
package capfile
