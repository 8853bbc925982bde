package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Small tokenizer files, good and bad. */
class TokenizerJsonTest {
    private static final String MODEL = "{'type':'BPE','vocab':{'a':0,'b':1,'ab':2,' ':3},'merges':['a b']}";

    @TempDir
    Path folder;

    private Tokenizer read(String json) {
        return read(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }

    private Tokenizer read(byte[] json) {
        try {
            return Tokenizer.read(Files.write(folder.resolve("tokenizer.json"), json));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private String refusal(String json) {
        String message =
                assertThrows(TillerException.class, () -> read(json), json).getMessage();
        assertTrue(message.contains(folder.resolve("tokenizer.json").toString()), message);
        assertFalse(message.contains("\n"), message);
        return message;
    }

    @Test
    void readsTheSmallestFile() {
        Tokenizer tokenizer = read("{'model':" + MODEL + "}");
        assertEquals(4, tokenizer.vocabSize());
        assertArrayEquals(new int[] {2, 1, 3, 0}, tokenizer.encode("abb a", true));
        assertEquals("ab b", tokenizer.decode(new int[] {2, 1}, false));
        assertEquals(2, tokenizer.idOf("ab"));
        assertEquals("ab", tokenizer.token(2));
    }

    @Test
    void readsMergesAsPairsAndBeforeTheVocabulary() {
        Tokenizer tokenizer =
                read("{'model':{'merges':[['a',' '],['a','b']],'vocab':{'a':0,'b':1,'ab':2,' ':3,'a ':9}}}");
        assertEquals(10, tokenizer.vocabSize());
        assertArrayEquals(new int[] {9, 2}, tokenizer.encode("a ab", false));
        String message = assertThrows(TillerException.class, () -> tokenizer.decode(new int[] {5}, false))
                .getMessage();
        assertTrue(message.contains("token id 5"), message);
    }

    @Test
    void findsNormalizedTokensInTheNormalizedText() {
        Tokenizer tokenizer = read("{'model':" + MODEL + ",'normalizer':{'type':'Lowercase'},'added_tokens':["
                + "{'id':9,'content':'A<B','single_word':false,'lstrip':false,'rstrip':true,'normalized':true,"
                + "'special':true}]}");
        assertArrayEquals(new int[] {2, 9, 0}, tokenizer.encode("ABa<b  A", false));
        assertTrue(tokenizer.isSpecial(9));
        assertEquals("ab a<b a", tokenizer.decode(new int[] {2, 9, 0}, false));
        assertEquals("ab a", tokenizer.decode(new int[] {2, 9, 0}, true));
    }

    @Test
    void lonelySurrogatesBecomeReplacementCharacters() {
        Tokenizer tokenizer = Goldens.tokenizer("gpt2");
        for (String text : new String[] {"\uD83E", "\uDD8A", "a\uD83Eb", "\uDD8A\uD83E", "x\uD83E\uD83E\uDD8A"}) {
            Encoding encoding = tokenizer.encodeWithOffsets(text, false);
            String expected = new String(
                    text.codePoints()
                            .map(c -> c >= 0xD800 && c < 0xE000 ? 0xFFFD : c)
                            .toArray(),
                    0,
                    text.codePointCount(0, text.length()));
            assertEquals(expected, tokenizer.decode(encoding.ids(), false));
            assertEquals(text.codePointCount(0, text.length()), encoding.ends()[encoding.ends().length - 1]);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "null", "{'model'", "{'model':{'vocab':{'a':0", "{} {}", "{'a':1,}", "nul"})
    void refusesDamagedJson(String json) {
        refusal(json);
    }

    @Test
    void refusesBytesThatAreNotUtf8() {
        String message = assertThrows(TillerException.class, () -> read(new byte[] {'{', '"', (byte) 0xFF, '"'}))
                .getMessage();
        assertTrue(message.contains("UTF-8"), message);
    }

    @Test
    void refusesAMissingFile() {
        Path file = folder.resolve("nowhere.json");
        String message =
                assertThrows(TillerException.class, () -> Tokenizer.read(file)).getMessage();
        assertTrue(message.contains("nowhere.json"), message);
    }

    @Test
    void refusesAnotherKindOfModel() {
        assertTrue(refusal("{'model':{'type':'Morfessor','vocab':{'a':0}}}").contains("Morfessor"));
        assertTrue(refusal("{'model':{'vocab':[['a',0.5]]}}").contains("model.type"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "{'type':'BPE','vocab':{'a':0}}; merges",
                "{'type':'BPE','merges':[]}; vocab",
                "{'type':'BPE','vocab':{'a':0,'a':1},'merges':[]}; token",
                "{'type':'BPE','vocab':{'a':0,'b':0},'merges':[]}; id 0",
                "{'type':'BPE','vocab':{'a':-1},'merges':[]}; -1",
                "{'type':'BPE','vocab':{'a':2000000000},'merges':[]}; 2000000000",
                "{'type':'BPE','vocab':{'a':1e99},'merges':[]}; model.vocab",
                "{'type':'BPE','vocab':{'a':'x'},'merges':[]}; model.vocab",
                "{'type':'BPE','vocab':{'a':null},'merges':[]}; model.vocab",
                "{'type':'BPE','vocab':{'a':0},'merges':['a a']}; model.merges[0]",
                "{'type':'BPE','vocab':{'a':0},'merges':['a']}; model.merges[0]",
                "{'type':'BPE','vocab':{'a':0},'merges':['a b c']}; model.merges[0]",
                "{'type':'BPE','vocab':{'a':0},'merges':[['a']]}; model.merges",
                "{'type':'BPE','vocab':{'a':0},'merges':[7]}; model.merges[0]",
                "{'type':'BPE','vocab':{'a':0},'merges':[],'unk_token':'u'}; model.unk_token",
                "{'type':'Unigram','vocab':[['a',0.5],['a',1]],'unk_id':0}; token",
                "{'type':'Unigram','vocab':[['a',0.5]],'unk_id':7}; model.unk_id",
                "{'type':'Unigram','vocab':[['a']]}; tokenizer.json",
                "{'type':'Unigram','vocab':[['a','NaN']]}; a number for the score",
                "{'type':'Unigram','vocab':{'a':0}}; model.vocab",
                "{'type':'WordPiece','vocab':{'a':0},'unk_token':'u'}; model.unk_token",
                "{'type':'WordLevel','vocab':[['a',0.5]]}; model.vocab",
                "{'type':'BPE','vocab':{'a':0},'merges':[],'dropout':0.1}; model.dropout",
                "{'type':'BPE','vocab':{'a':0},'merges':[],'surprise':1}; model.surprise",
                "{'type':'BPE','vocab':{'a':0},'merges':[],'fuse_unk':3}; model.fuse_unk",
                "{'type':7,'vocab':{'a':0},'merges':[]}; model.type",
                "{'type':'BPE','type':'BPE','vocab':{'a':0},'merges':[]}; model.type"
            })
    void refusesABadModel(String model, String part) {
        String message = refusal("{'model':" + model + "}");
        assertTrue(message.contains(part), message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "'surprise':1; surprise",
                "'normalizer':7; normalizer",
                "'normalizer':{}; normalizer.type",
                "'normalizer':{'type':'Uppercase'}; Uppercase",
                "'normalizer':{'type':'NFC','x':1}; normalizer.x",
                "'normalizer':{'type':'Replace','pattern':{'Regex':'('},'content':''}; normalizer.pattern.Regex",
                "'normalizer':{'type':'Replace','pattern':{'Other':'('},'content':''}; normalizer.pattern",
                "'normalizer':{'type':'Replace','pattern':{'String':''},'content':''}; normalizer.pattern.String",
                "'normalizer':{'type':'Sequence','normalizers':[null]}; normalizer.normalizers",
                "'normalizer':{'type':'Sequence','normalizers':[{'type':'Sequence','normalizers':[7]}]}; normalizers[0]",
                "'normalizer':{'type':'Sequence','normalizers':[{'type':'Sequence'}]}; normalizers[0].normalizers",
                "'normalizer':{'type':'Strip','strip_left':true}; normalizer.strip_right",
                "'pre_tokenizer':{'type':'UnicodeBlocks'}; UnicodeBlocks",
                "'pre_tokenizer':{'type':'FixedLength','length':0}; pre_tokenizer.length",
                "'pre_tokenizer':{'type':'ByteLevel'}; pre_tokenizer.add_prefix_space",
                "'pre_tokenizer':{'type':'Metaspace','replacement':'__'}; pre_tokenizer.replacement",
                "'pre_tokenizer':{'type':'Metaspace','replacement':'_','prepend_scheme':'x'}; prepend_scheme",
                "'pre_tokenizer':{'type':'Split','pattern':{'String':'x'},'behavior':'Y','invert':false}; behavior",
                "'pre_tokenizer':{'type':'Split','pattern':{'Regex':'\\\\X'},'behavior':'Isolated','invert':false}; Regex",
                "'post_processor':{'type':'Trim'}; Trim",
                "'post_processor':{'type':'TemplateProcessing','single':[],'special_tokens':{}}; single",
                "'post_processor':{'type':'TemplateProcessing','single':[{'Sequence':{'id':'B'}}]}; single",
                "'decoder':{'type':'Morse'}; Morse",
                "'decoder':{'type':'BPEDecoder','suffix':''}; decoder.suffix",
                "'decoder':{'type':'CTC','pad_token':'','word_delimiter_token':'x','cleanup':true}; decoder.pad_token",
                "'decoder':{'type':'Strip','content':'x','start':-1,'stop':0}; decoder.start",
                "'decoder':{'type':'Strip','content':'x','start':1.5,'stop':0}; decoder.start",
                "'added_tokens':{}; added_tokens",
                "'added_tokens':[1]; added_tokens[0]",
                "'added_tokens':[{'id':0,'content':'a'}]; single_word",
                "'added_tokens':[],'added_tokens':[]; added_tokens"
            })
    void refusesABadComponent(String component, String part) {
        String message = refusal("{'model':" + MODEL + "," + component + "}");
        assertTrue(message.contains(part), message);
    }

    @ParameterizedTest
    @CsvSource({"5,a,expected id 0", "1,c,id 1", "4294967296,c,added_tokens[0].id", "7,'',content"})
    void refusesABadAddedToken(String id, String content, String part) {
        String message = refusal("{'model':" + MODEL + ",'added_tokens':[{'id':" + id + ",'content':'" + content
                + "','single_word':false,'lstrip':false,'rstrip':false,'normalized':false,'special':true}]}");
        assertTrue(message.contains(part), message);
    }

    @Test
    void refusesATemplateWithAnUnknownId() {
        String message = refusal("{'model':" + MODEL + ",'post_processor':{'type':'TemplateProcessing','single':["
                + "{'SpecialToken':{'id':'s','type_id':0}},{'Sequence':{'id':'A','type_id':0}}],'pair':[],"
                + "'special_tokens':{'s':{'id':'s','ids':[77],'tokens':['s']}}}}");
        assertTrue(message.contains("post_processor.special_tokens.s.ids"), message);
    }

    @Test
    void refusesWhatWouldWorkOnThePartsOfATemplate() {
        String template =
                "{'type':'TemplateProcessing','single':[{'Sequence':{'id':'A','type_id':0}}],'special_tokens':{}}";
        String twice = "'post_processor':{'type':'Sequence','processors':[" + template + "," + template + "]}";
        assertTrue(refusal("{'model':" + MODEL + "," + twice + "}").contains("processors[1].type: expected ByteLevel"));
        String bytes = "{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true}";
        read("{'model':" + MODEL + "," + twice.replace("," + template, "," + bytes) + "}");
    }

    @Test
    void readsSequencesInsideSequences() {
        String inner = "{'type':'Sequence','normalizers':[{'type':'Lowercase'},{'type':'Sequence','normalizers':[]}]}";
        Tokenizer tokenizer = read("{'model':" + MODEL + ",'normalizer':{'type':'Sequence','normalizers':[" + inner
                + ",{'type':'Replace','pattern':{'String':'c'},'content':'b'}]}}");
        assertArrayEquals(new int[] {2, 2}, tokenizer.encode("ABAC", true));
        String many = ("{'type':'Sequence','normalizers':[" + "{'type':'NFC'},".repeat(40)).replaceAll(",$", "]}");
        String message = refusal(
                "{'model':" + MODEL + ",'normalizer':{'type':'Sequence','normalizers':[" + many + "," + many + "]}}");
        assertTrue(message.contains("at most 64"), message);
    }

    @Test
    void refusesDeepNesting() {
        refusal("{'normalizer':" + "[".repeat(100_000));
        refusal("{'model':{'x':" + "{'a':".repeat(100_000));
    }
}
