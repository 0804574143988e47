// Package join puts files together that were sent, or fetched, in parts: by several
// requests, on one connection or on many.
//
// # Ways
//
//   - Requests with Content-Range, such as resumable uploads of Google and Microsoft, and
//     answers 206 with it (RFC 9110, Sections 14.4 and 15.3.7).
//   - Requests with an offset: tus (Upload-Offset), Google (X-Goog-Upload-Offset), Azure
//     Data Lake (position).
//   - S3: parts with a number, and the list of them.
//   - Azure: blocks with a name, and the list of them.
//
// A [Table] is told of requests, answers and their ends. It says which parts make up a
// file, once it is complete. It keeps no octets: what a part is it has as a handle of the
// caller.
//
// # Bounds
//
// 10,000 files are under way, each with at most 10,000 parts, and 200,000 parts of all. A
// file of which nothing is heard for an hour is told as it is.
package join
