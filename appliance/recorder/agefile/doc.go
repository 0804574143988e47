// Package agefile writes files of the age format (age-encryption.org/v1), which the program
// age reads, and reads them in places and while they grow.
//
// A file is a header with the file key, encrypted to each recipient, a nonce, and chunks of
// [Chunk] octets. Each chunk is sealed on its own with ChaCha20-Poly1305 (RFC 8439). The last
// one has a flag: a file that ends without it was cut off.
//
// A [Key] is the key of one file. Whoever makes the file has it in memory, and can read back
// what is there. Afterwards only an identity of a recipient opens the file.
//
// The package knows neither what is in the files nor where they are.
package agefile
