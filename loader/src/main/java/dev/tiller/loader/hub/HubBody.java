package dev.tiller.loader.hub;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The body of an answer, taken piece by piece by one thread: unlike the client's own streams it gives up when nothing
 * comes for a while, or next to nothing for long. Closing it ends the transfer.
 */
final class HubBody implements HttpResponse.BodySubscriber<HubBody>, AutoCloseable {
    private static final Object END = new Object();

    /** A listing or a small text must be whole before so many times the longest wait for single bytes. */
    private static final int WAITS = 20;

    /** Bytes per second. What is slower for a while may go better over a new connection. */
    private static final long SLOWEST = 1000;

    private static final Duration STRETCH = Duration.ofMinutes(1);

    private final Duration stall;
    private final LongSupplier clock;
    private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();
    private final Queue<ByteBuffer> pieces = new ArrayDeque<>();
    private volatile Flow.Subscription subscription;
    private volatile boolean closed;
    private boolean ended;

    /** Time that was spent waiting, in nanoseconds, and the bytes that came in it. */
    private long waited;

    private long came;
    private boolean slow;

    /**
     * @param stall how long to wait for the next bytes
     * @param clock nanoseconds from any beginning
     */
    HubBody(Duration stall, LongSupplier clock) {
        this.stall = stall;
        this.clock = clock;
    }

    /** The next bytes, never none; null at the end. */
    ByteBuffer next() throws IOException, InterruptedException {
        while (true) {
            ByteBuffer piece = pieces.poll();
            if (piece != null && piece.hasRemaining()) {
                return piece;
            }
            if (piece == null) {
                if (ended) {
                    return null;
                }
                take();
            }
        }
    }

    private void take() throws IOException, InterruptedException {
        if (slow && arrived.peek() != END) {
            close();
            throw Trouble.slow("less than " + SLOWEST + " bytes/s came for " + STRETCH.toSeconds() + " s");
        }
        long begin = clock.getAsLong();
        Object got = arrived.poll(stall.toMillis(), TimeUnit.MILLISECONDS);
        waited += clock.getAsLong() - begin;
        switch (got) {
            case null -> {
                close();
                throw new Trouble("nothing came for " + stall.toMillis() / 1000.0 + " s");
            }
            case List<?> list -> {
                measure(list);
                list.forEach(piece -> pieces.add((ByteBuffer) piece));
                subscription.request(1);
            }
            case IOException e -> throw e;
            case Throwable t -> throw new IOException(t);
            default -> ended = true;
        }
    }

    /** Only waiting counts: while a slow disk takes what has come, the server can send no more. */
    private void measure(List<?> list) {
        for (Object piece : list) {
            came += ((ByteBuffer) piece).remaining();
        }
        if (waited >= STRETCH.toNanos()) {
            slow = came < SLOWEST * STRETCH.toSeconds();
            waited = 0;
            came = 0;
        }
    }

    /** Everything, an error if there is more than {@code most} or it drips in without end. */
    byte[] all(int most) throws IOException, InterruptedException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        long begin = System.nanoTime();
        for (ByteBuffer piece = next(); piece != null; piece = next()) {
            if (System.nanoTime() - begin > WAITS * stall.toNanos()) {
                close();
                throw new Trouble("not whole after " + WAITS * stall.toMillis() / 1000.0 + " s");
            }
            if (out.size() + piece.remaining() > most) {
                close();
                throw new TooMuch("expected an answer of at most " + most + " bytes, found more");
            }
            byte[] bytes = new byte[piece.remaining()];
            piece.get(bytes);
            out.write(bytes);
        }
        return out.toByteArray();
    }

    /** An answer of a size that no honest one has. */
    static final class TooMuch extends IOException {
        private static final long serialVersionUID = 1L;

        TooMuch(String message) {
            super(message);
        }
    }

    @Override
    public void close() {
        closed = true;
        Flow.Subscription known = subscription;
        if (known != null) {
            known.cancel();
        }
    }

    // ---- what the client calls ----

    @Override
    public CompletionStage<HubBody> getBody() {
        return CompletableFuture.completedStage(this);
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
        subscription = given;
        if (closed) {
            given.cancel();
        } else {
            given.request(1);
        }
    }

    @Override
    public void onNext(List<ByteBuffer> item) {
        arrived.add(item);
    }

    @Override
    public void onError(Throwable throwable) {
        arrived.add(throwable);
    }

    @Override
    public void onComplete() {
        arrived.add(END);
    }
}
