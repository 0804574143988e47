// Package analyst turns frames into the rows of a trail, and contents into objects.
//
// An [Analyst] follows the sessions of a capture (package flow), has their protocols read
// (package dissect), takes contents apart (package object), keeps them (package content),
// and hands the rows to an [Output] in batches. It makes the same rows of the same frames:
// names follow from times and addresses.
//
// An event is handed out when it is over, with all that was sighted in it. Sessions that
// are still open are handed out with each batch, so that no event lacks its session.
//
// # Bounds
//
// What is under way of a session is bounded by the packages that read it. An event has at
// most 64 KiB of text, and 1,000 sightings.
package analyst
