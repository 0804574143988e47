// Package object turns the content of a message into objects: files and texts with names,
// as a person would save them. It takes off content codings, takes messages in parts apart,
// reads attachments of mail, and gives each object its name.
//
// A [Stream] is fed one content in pieces, and calls a [Sink] with each object: the content
// itself first, then what is in it. Octets that need no decoding pass without a copy.
// Octets that are lost are a hole of an object, where the form allows that. Else the object
// ends as [Cut], and the parts that come behind are not there.
//
// # Bounds
//
// A header has at most 1 MiB. Parts are read to a depth of 20, 1,000 of one message. A
// content coding may make at most 200 octets of one beyond the first MiB, and 4 GiB in all.
// What exceeds a bound ends as [Broken].
//
// The package does no I/O. Decoders that pull run as coroutines within the calls.
package object
