package http2

import (
	"encoding/binary"
	"iter"
)

// SettingID names a setting (RFC 9113, Section 6.5.2).
type SettingID uint16

// Settings.
const (
	HeaderTableSize       SettingID = 0x1
	EnablePush            SettingID = 0x2
	MaxConcurrentStreams  SettingID = 0x3
	InitialWindowSize     SettingID = 0x4
	MaxFrameSize          SettingID = 0x5
	MaxHeaderListSize     SettingID = 0x6
	EnableConnectProtocol SettingID = 0x8 // RFC 8441, Section 3
	NoRFC7540Priorities   SettingID = 0x9 // RFC 9218, Section 2.1
)

// Values that hold until a SETTINGS frame changes them (RFC 9113, Section 6.5.2).
const (
	DefaultTable  = 4096
	DefaultWindow = 65535
	DefaultFrame  = 16384
)

// settingLength is the length of a setting in octets.
const settingLength = 6

// Setting is one value of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

// check returns the fault of a value, or nil.
func (s Setting) check() *Fault {
	switch s.ID {
	case EnablePush, EnableConnectProtocol, NoRFC7540Priorities:
		if s.Value > 1 {
			return errSetting
		}
	case InitialWindowSize:
		if s.Value > MaxStream {
			return errWindow
		}
	case MaxFrameSize:
		if s.Value < DefaultFrame || s.Value > 1<<24-1 {
			return errSetting
		}
	}
	return nil
}

// Settings yields the settings of a SETTINGS frame in their order.
func (f *Frame) Settings() iter.Seq[Setting] {
	return func(yield func(Setting) bool) {
		for p := f.Body; len(p) >= settingLength; p = p[settingLength:] {
			if !yield(Setting{SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])}) {
				return
			}
		}
	}
}
