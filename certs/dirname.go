package certs

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// Distinguished names, compared as RFC 5280, Section 7.1, wants it: attribute by
// attribute, whatever string type they have, without regard to case and white space.

// folded is a name of which each relative name is the sorted text of its attributes.
type folded []string

// foldName reads a Name in DER.
func foldName(der []byte) (folded, error) {
	var sequence []relativeNameSET
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return nil, errors.New("distinguished name cannot be read")
	}
	name := make(folded, len(sequence))
	for i, relative := range sequence {
		var parts [][]byte
		for _, a := range relative {
			parts = append(parts, foldAttribute(a))
		}
		sortOctets(parts)
		name[i] = string(bytes.Join(parts, []byte{0}))
	}
	return name, nil
}

func sortOctets(parts [][]byte) {
	for i := range parts { // there is mostly one
		for k := i; k > 0 && bytes.Compare(parts[k], parts[k-1]) < 0; k-- {
			parts[k], parts[k-1] = parts[k-1], parts[k]
		}
	}
}

// foldAttribute returns octets that are the same for attributes that are equal. Each part
// carries its length, so that no two attributes run into the same octets.
func foldAttribute(a attribute) []byte {
	kind := a.Type.String()
	text, ok := foldString(a.Value)
	if !ok {
		kind += "="
		text = string(a.Value.FullBytes)
	}
	der, err := asn1.Marshal([]string{kind, text})
	if err != nil { // the text is no UTF-8: it is not what foldString gives
		der, _ = asn1.Marshal([][]byte{[]byte(kind), []byte(text)})
	}
	return der
}

// foldString returns the text of a directory string, prepared for comparison, or false
// for other values.
func foldString(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	var text string
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagIA5String, asn1.TagNumericString:
		text = string(v.Bytes)
	case asn1.TagBMPString:
		if len(v.Bytes)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
		}
		text = string(utf16.Decode(units))
	default:
		return "", false
	}
	text = norm.NFKC.String(strings.ToLower(norm.NFKC.String(strings.ToValidUTF8(text, "\uFFFD"))))
	return strings.Join(strings.Fields(text), " "), true
}

// within reports whether the name is in the subtree that base begins.
func (n folded) within(base folded) bool {
	if len(n) < len(base) {
		return false
	}
	for i := range base {
		if n[i] != base[i] {
			return false
		}
	}
	return true
}
