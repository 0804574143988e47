// Package certs keeps the inspection authorities, forges the leaves that
// clients are shown, and judges the certificates that origins show.
//
// [LoadOrCreate] gives an [Authority]. A [Forger] signs leaves with two of
// them: one that clients trust, and one that they do not, for origins that a
// [Judge] refuses. Its refusals are [OriginError] values, each with one
// [Reason].
//
// The package knows no sessions and no policy: whether a refused origin is
// blocked, tunneled or shown under the untrusted authority is its caller's
// choice. It opens no sockets; what a judge asks the network for revocation it
// asks through a [Fetcher], such as that of package fetch. It signs no
// certificate requests that come from outside.
package certs
