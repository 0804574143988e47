// Package recorder records what sessions said: it reads captures, keeps a trail of events,
// contents and findings, and answers questions about them. It joins the packages below it.
//
//	capture, files ──▶ flow ──▶ dissect ──▶ object ──▶ content
//	                              └───── analyst ─────▶ trail
//
// It knows no engine: any feed will do, of this program or another.
package recorder
