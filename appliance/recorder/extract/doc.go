// Package extract finds the text in files: plain and marked up text in any charset, office
// documents (Office Open XML, OpenDocument, RTF, and strings of the older binary formats),
// mail messages, and all of these within archives (zip, tar, 7z, rar, gzip, bzip2, xz,
// Zstandard), at any depth up to a bound.
//
// What a file is follows from its octets, not from its name. Text is handed out in pieces,
// each with its place, such as a sheet. Cells of a row have tabs between them.
//
// # Bounds
//
// All of [Limits] hold for a file with everything in it: depth, number and octets of what is
// within, and octets of text. What exceeds one is left out, and [Handler.Note] says so. The
// libraries are memory-safe, and a panic in one of them is an error of that file. Files of
// strangers should still be read in a process that may do nothing else.
package extract
