// Package extractor reads the text of files in a process that may do nothing else: it has no
// network, opens no file, writes none, and has bounds of memory and time. A file that takes it
// over, fills its memory or never ends costs that file, and not the recorder.
//
// # Processes
//
// [Start] runs a command, which calls [Main]. That is the warden: it gives up root and all
// capabilities, starts the reader, and a new one when the reader ends or is to be killed. It
// reads nothing of strangers. It is there because a recorder cannot start processes once it is
// confined. The reader is the same command. It gets each file as a descriptor and tells what
// package extract finds in it.
//
// The warden ends with the process that started it, whatever ends that, and the reader with
// the warden.
//
// # Messages
//
// Both ends of a SOCK_SEQPACKET pair send packets of at most 64 KiB: a kind, which is one
// octet, and what belongs to it. No packet is cut when a process is killed. The warden says on
// the same socket that a reader has ended, so that nothing of an older one comes after it. On
// a second pair the warden is told which of its readers to kill, by number.
package extractor
