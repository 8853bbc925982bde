package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reads a tokenizer.model: the protobuf message ModelProto of SentencePiece with its pieces (field 1), what the trainer
 * was told (2), how text is prepared (3) and how it is prepared on the way back (5), of which nothing but an empty one is
 * supported.
 */
final class SentencePieceFile {
    private static final long MAX_BYTES = 1L << 28;

    private static final int UNIGRAM = 1;
    private static final int BPE = 2;

    private final String source;
    private final List<String> pieces = new ArrayList<>();
    private float[] scores = new float[1 << 12];
    private int[] types = new int[1 << 12];

    private int modelType = UNIGRAM;
    private boolean byteFallback;
    private boolean spaceAtEnd;
    private String bos = "<s>";
    private String eos = "</s>";
    private boolean addDummyPrefix = true;
    private boolean removeExtraWhitespaces = true;
    private boolean escapeWhitespaces = true;
    private byte[] charsmap;

    private SentencePieceFile(String source) {
        this.source = source;
    }

    /**
     * A model and its own tokens around a text.
     *
     * @param pieces the model
     * @param bosId the piece that starts a text, or -1
     * @param eosId the piece that ends one, or -1
     */
    record Model(SentencePieces pieces, int bosId, int eosId) {}

    /**
     * Reads the file.
     *
     * @throws TillerException if it is damaged or asks for what Tiller does not support
     */
    static Model read(Path file) {
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new TillerException(file + ": expected a SentencePiece model of at most " + MAX_BYTES
                        + " bytes, found " + Files.size(file));
            }
            return read(file.toString(), Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            throw new TillerException(file + ": no such file; expected a tokenizer.model", e);
        } catch (IOException e) {
            throw new TillerException(file + ": cannot be read (" + e + ")", e);
        }
    }

    static Model read(String source, byte[] bytes) {
        SentencePieceFile file = new SentencePieceFile(source);
        ProtobufReader in = new ProtobufReader(source, bytes);
        for (int field = in.next(); field != 0; field = in.next()) {
            switch (field) {
                case 1 -> file.piece(in.message(), in);
                case 2 -> file.trainer(in.message());
                case 3 -> file.normalizer(in.message());
                case 5 -> file.denormalizer(in.message());
                default -> in.skip();
            }
        }
        return file.build();
    }

    private void piece(ProtobufReader in, ProtobufReader file) {
        String piece = "";
        float score = 0;
        int type = SentencePieces.NORMAL;
        for (int field = in.next(); field != 0; field = in.next()) {
            switch (field) {
                case 1 -> piece = in.text();
                case 2 -> score = in.float32();
                case 3 -> type = in.number();
                default -> in.skip();
            }
        }
        if (piece.isEmpty()) {
            throw file.damaged("a text for piece " + pieces.size(), "none");
        }
        int id = pieces.size();
        if (id == scores.length) {
            scores = Arrays.copyOf(scores, id * 2);
            types = Arrays.copyOf(types, id * 2);
        }
        scores[id] = score;
        types[id] = type;
        pieces.add(piece);
    }

    private void trainer(ProtobufReader in) {
        for (int field = in.next(); field != 0; field = in.next()) {
            switch (field) {
                case 3 -> modelType = in.number();
                case 24 -> spaceAtEnd = in.flag();
                case 35 -> byteFallback = in.flag();
                case 46 -> bos = in.text();
                case 47 -> eos = in.text();
                default -> in.skip();
            }
        }
    }

    private void normalizer(ProtobufReader in) {
        for (int field = in.next(); field != 0; field = in.next()) {
            switch (field) {
                case 2 -> charsmap = in.bytes();
                case 3 -> addDummyPrefix = in.flag();
                case 4 -> removeExtraWhitespaces = in.flag();
                case 5 -> escapeWhitespaces = in.flag();
                default -> in.skip();
            }
        }
    }

    private void denormalizer(ProtobufReader in) {
        for (int field = in.next(); field != 0; field = in.next()) {
            if (field == 2 && in.bytes().length > 0) {
                throw new TillerException(
                        source + ": denormalizer_spec: expected none, found a map of characters; not supported");
            }
            if (field != 2) {
                in.skip();
            }
        }
    }

    private Model build() {
        if (pieces.isEmpty()) {
            throw new TillerException(source + ": not a readable SentencePiece model: expected pieces, found none");
        }
        if (modelType != UNIGRAM && modelType != BPE) {
            throw new TillerException(
                    source + ": trainer_spec.model_type: expected 1 (unigram) or 2 (BPE), found " + modelType);
        }
        SentencePieces.Rules rules = new SentencePieces.Rules(
                modelType == BPE ? SentencePieces.Kind.BPE : SentencePieces.Kind.UNIGRAM,
                addDummyPrefix,
                false,
                spaceAtEnd,
                removeExtraWhitespaces,
                escapeWhitespaces,
                byteFallback,
                charsmap);
        SentencePieces model = new SentencePieces(
                source,
                List.copyOf(pieces),
                Arrays.copyOf(scores, pieces.size()),
                Arrays.copyOf(types, pieces.size()),
                rules);
        return new Model(model, control(bos), control(eos));
    }

    /** The id of a control piece, or -1. */
    private int control(String piece) {
        int id = pieces.indexOf(piece);
        return id >= 0 && types[id] == SentencePieces.CONTROL ? id : -1;
    }
}
