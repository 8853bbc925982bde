package dev.tiller.persona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CsvTest {
    @Test
    void quotedFieldsHoldCommasQuotesAndLines() {
        List<Csv.Row> rows = Csv.parse("\uFEFFa,b\r\n\"x, \"\"y\"\"\nz\",\n1,\"\"", "t.csv");
        assertEquals(List.of("a", "b"), rows.get(0).fields());
        assertEquals(new Csv.Row(2, List.of("x, \"y\"\nz", "")), rows.get(1));
        assertEquals(new Csv.Row(4, List.of("1", "")), rows.get(2));
    }

    @Test
    void whatIsWrittenIsReadBack() {
        List<String> fields =
                List.of("", "plain", "a,b", "say \"no\"", "two\nlines", "cr\r\nlf", "\uFEFFx", " ", "\rx");
        List<Csv.Row> rows = Csv.parse(Csv.format(fields) + Csv.format(fields), "t.csv");
        assertEquals(2, rows.size());
        assertEquals(fields, rows.get(0).fields());
        assertEquals(fields, rows.get(1).fields());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "a,b\\n1\\n | line 2",
                "a,b\\n1,2\\n\\n3,4\\n | line 3",
                "a,b\\n1,2\"3\\n | line 2",
                "a,b\\n\"x\\ny\",\"2\\n\\n | line 3",
                "a,b\\n\"1\"2,3\\n | line 2",
                "a,b\\n1\\r2,3\\n | line 2",
                "`` | header"
            })
    void mistakesAreNamedByLine(String text, String part) {
        String csv = text.replace("\\n", "\n").replace("\\r", "\r");
        TillerException e = assertThrows(TillerException.class, () -> Csv.parse(csv, "t.csv"));
        assertTrue(e.getMessage().contains("t.csv") && e.getMessage().contains(part), e.getMessage());
    }

    @Test
    void aRowCutOffAtAnyPlaceIsNotComplete() {
        String first = Csv.format(List.of("a", "b \"c\"\nd"));
        String second = Csv.format(List.of("x\n\"\ny", "z"));
        for (int cut = 0; cut < second.length(); cut++) {
            assertEquals(first.length(), Csv.completeLength(first + second.substring(0, cut)), "cut at " + cut);
        }
        assertEquals((first + second).length(), Csv.completeLength(first + second));
    }
}
