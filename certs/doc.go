// Package certs keeps the inspection authorities, forges leaves for clients, and
// judges the certificates of origins.
//
// [LoadOrCreate] returns an [Authority]. A [Forger] signs leaves with two
// authorities. Clients trust the first. The second is for origins that a [Judge]
// refuses; clients do not trust it. The judge's refusals are [OriginError] values,
// each with one [Reason].
//
// The package knows no sessions and no policy. Its caller decides whether a refused
// origin is blocked, tunneled or shown under the untrusted authority. It opens no
// sockets: a judge asks about revocation through a [Fetcher], such as that of
// package fetch. It signs no certificate requests from outside.
package certs
