// Package upstream opens connections to origins by way of another proxy: an HTTP proxy
// by CONNECT (RFC 9110, Section 9.3.6), in the clear or over TLS, or a SOCKS5 proxy (RFC
// 1928). A [Proxy] is one such proxy, [Exceptions] are the origins that it is not asked
// for. The package knows no session and no policy.
package upstream
