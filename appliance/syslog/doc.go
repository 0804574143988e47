// Package syslog writes what goes into messages of syslog (RFC 5424): words of headers, and
// the Common Event Format of ArcSight, version 0 ("Implementing ArcSight Common Event
// Format", version 26). Whatever strangers put into a value stays in its place.
//
//	CEF:0|vendor|product|version|class|name|severity|key=value key=value
//
// A backslash stands before backslashes and bars in the header, and before backslashes and
// equals signs in values, whose line ends become \n and \r.
package syslog
