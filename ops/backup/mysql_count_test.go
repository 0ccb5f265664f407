package backup

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRowsAreCountedAsTheyPass(t *testing.T) {
	const dump = "-- MariaDB dump\n/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `a` (\n  `INSERT INTO` int\n) COMMENT='INSERT INTO `x` VALUES (1)';\n" +
		"INSERT INTO `a` VALUES\n(1,'x),(\\'),('),\n(2,NULL),\n(3,'it''s; -- \\\\');\nINSERT INTO `a` VALUES (4,'V');\n" +
		"CREATE TABLE `we``ird (V` (\n  `id` int\n);\nINSERT INTO `we``ird (V` (`V(`, `b)`) VALUES (1,_binary 'a(b'),(0x2829,ST_GeomFromText('x')),(-1.5e3,'');\n" +
		"CREATE TABLE `none` (\n  `id` int\n);\n/*!40111 SET SQL_NOTES=@OLD */;\n\n-- Dump completed on 2026-11-23  9:06:54\n"
	want := []Table{{"a", 4}, {"none", 0}, {"we`ird (V", 3}}
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(dump), "byte by byte": iotest.OneByteReader(strings.NewReader(dump)), "halves": iotest.HalfReader(strings.NewReader(dump)),
	} {
		c := &rowCounter{}
		if _, err := io.Copy(c, r); err != nil {
			t.Fatal(err)
		}
		if got := c.tables(); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		if !c.completed {
			t.Errorf("%s: is not complete", name)
		}
	}
	for _, cut := range []int{1, 20, 40, 60, len(dump) - 10} {
		c := &rowCounter{}
		_, _ = io.WriteString(c, dump[:len(dump)-cut])
		if cut > 40 && c.completed {
			t.Errorf("without its last %d bytes it is complete", cut)
		}
	}
}
