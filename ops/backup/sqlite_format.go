package backup

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// checkSQLite checks a database file's header and size, and returns the size of
// its pages: https://sqlite.org/fileformat.html
func checkSQLite(r io.Reader) (int, error) {
	head := make([]byte, 100)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, fmt.Errorf("the database file has no header: %w", err)
	}
	page := int(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 64 << 10
	}
	if !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) || page < 512 || page&(page-1) != 0 {
		return 0, errors.New("the database file begins with no header of SQLite")
	}
	rest, err := io.Copy(io.Discard, r)
	if err != nil {
		return 0, err
	}
	if size := rest + int64(len(head)); size%int64(page) != 0 {
		return 0, fmt.Errorf("the database file has %d bytes, which are no whole pages of %d", size, page)
	}
	return page, nil
}

// checkSQLiteLog checks a write-ahead log up to its last commit; what comes after
// it may be of earlier times: https://sqlite.org/walformat.html
func checkSQLiteLog(from io.Reader, page int) error {
	r := bufio.NewReaderSize(from, 64<<10)
	head := make([]byte, 32)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("the write-ahead log has no header: %w", err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	magic := binary.BigEndian.Uint32(head)
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	sum := sqliteSum{order: order}
	sum.add(head[:24])
	if magic&^1 != 0x377f0682 || int(binary.BigEndian.Uint32(head[8:])) != page || !sum.is(head[24:]) {
		return errors.New("the write-ahead log begins with no header of the database's")
	}
	frame := make([]byte, 24+page)
	for commits := 0; ; {
		_, err := io.ReadFull(r, frame)
		if ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !ended {
			return err
		}
		sum.add(frame[:8])
		sum.add(frame[24:])
		if err != nil || !bytes.Equal(frame[8:16], head[16:24]) || !sum.is(frame[16:]) {
			if commits == 0 {
				return errors.New("the write-ahead log has no whole transaction in it")
			}
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if binary.BigEndian.Uint32(frame[4:]) != 0 {
			commits++
		}
	}
}

// Private

// sqliteSum is the running checksum of a write-ahead log.
type sqliteSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (s *sqliteSum) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		s.s0 += s.order.Uint32(b) + s.s1
		s.s1 += s.order.Uint32(b[4:]) + s.s0
	}
}

func (s *sqliteSum) is(b []byte) bool {
	return binary.BigEndian.Uint32(b) == s.s0 && binary.BigEndian.Uint32(b[4:]) == s.s1
}

// Helpers

// hostOrder is the byte order of a log's index, told by its version; nil for none.
func hostOrder(b []byte) binary.ByteOrder {
	const version = 3007000
	switch {
	case binary.LittleEndian.Uint32(b) == version:
		return binary.LittleEndian
	case binary.BigEndian.Uint32(b) == version:
		return binary.BigEndian
	}
	return nil
}
