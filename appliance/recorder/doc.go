// Package recorder records what sessions said: it reads captures, keeps a trail of events,
// contents and findings, and answers questions about them. It joins the packages below it.
//
//	capture, files ──▶ flow ──▶ dissect ──▶ object ──▶ content
//	                              └───── analyst ─────▶ trail
//
// An [Archive] is a directory with the trail (trail/, see package sqlite) and the contents
// (content/, see package content).
//
// It knows no engine: any feed will do, of this program or another.
package recorder
