package config

import "testing"

// TestSummaryIsTheGems compares with what `kamal config` prints.
func TestSummaryIsTheGems(t *testing.T) {
	var rows [][3]string
	readJSON(t, &rows, "testdata", "ruby", "summaries.json")
	for _, row := range rows {
		t.Run(row[0], func(t *testing.T) {
			got, err := loadText(t, row[1], Options{Version: "v1"}).KamalYAML()
			if err != nil {
				t.Fatal(err)
			}
			if got != row[2] {
				t.Errorf("got\n%s\nwant\n%s", got, row[2])
			}
		})
	}
}
