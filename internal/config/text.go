package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Byte order marks. Windows PowerShell 5.1 writes UTF-16 with one when output is redirected with >.
const (
	markUTF8    = "\xEF\xBB\xBF"
	markUTF16LE = "\xFF\xFE"
	markUTF16BE = "\xFE\xFF"
)

// toUTF8 returns the text of a file as UTF-8 without a byte order mark. It reads UTF-8, and UTF-16 that begins with a
// byte order mark.
func toUTF8(text []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(text, []byte(markUTF16LE)):
		return fromUTF16(text[2:], binary.LittleEndian)
	case bytes.HasPrefix(text, []byte(markUTF16BE)):
		return fromUTF16(text[2:], binary.BigEndian)
	}
	text = bytes.TrimPrefix(text, []byte(markUTF8))
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errors.New("the file is not text; save it as UTF-8")
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, fmt.Errorf("line %d: not UTF-8; save the file as UTF-8", i+1)
		}
	}
	return text, nil
}

// fromUTF16 converts UTF-16 without a byte order mark to UTF-8.
func fromUTF16(text []byte, order binary.ByteOrder) ([]byte, error) {
	if len(text)%2 != 0 {
		return nil, errors.New("the file begins as UTF-16 and ends in half a character; save it as UTF-8")
	}
	var units []uint16
	for i := 0; i < len(text); i += 2 {
		units = append(units, order.Uint16(text[i:]))
	}
	return []byte(string(utf16.Decode(units))), nil
}
