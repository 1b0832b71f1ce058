package io.elder.fetch.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** When the next page of a list is asked for. */
class PagesAheadTest {
    private final Shelf shelf = new Shelf();

    @Test
    void theNextPageOfAClientThatIsSharedIsAskedForWhileThisOneIsHandedOut() throws InterruptedException {
        shelf.isShareable = true;
        // An item is taken only once the page after its own was asked for.
        shelf.each = item -> {
            if (item < 3) {
                assertThat(shelf.asked.tryAcquire(item == 0 ? 2 : 1, 10, TimeUnit.SECONDS))
                        .isTrue();
            }
        };
        RecordingPublisher published = everything();
        assertThat(published.sealedRecords())
                .extracting(record -> record.key().id())
                .containsExactly("book-0", "book-1", "book-2", "book-3");
        assertThat(shelf.answered).hasValue(4);
    }

    @Test
    void aClientOfOneTaskIsAskedByOneThreadOnly() throws InterruptedException {
        Thread task = Thread.currentThread();
        shelf.before = cursor -> assertThat(Thread.currentThread()).isSameAs(task);
        shelf.each = item -> assertThat(shelf.answered).hasValue(item + 1);
        assertThat(everything().seals()).hasSize(1);
    }

    @Test
    void aPageThatIsNotWantedAnyMoreIsGivenUp() throws InterruptedException {
        shelf.isShareable = true;
        CountDownLatch given = new CountDownLatch(1);
        CountDownLatch asked = new CountDownLatch(1);
        shelf.before = cursor -> {
            if (cursor != null) {
                asked.countDown();
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    given.countDown();
                    throw e;
                }
            }
        };
        shelf.each = item -> {
            assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();
            throw new IllegalStateException("no book");
        };
        assertThat(everything().events(ScopeFailed.class))
                .extracting(ScopeFailed::getMessage)
                .containsExactly("no book");
        assertThat(given.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aPageThatFailsAheadIsAskedForAgainAndOneThatIsRefusedLeavesWhatCameBeforeIt() throws InterruptedException {
        shelf.isShareable = true;
        AtomicInteger failures = new AtomicInteger();
        shelf.before = cursor -> {
            if ("2".equals(cursor) && failures.getAndIncrement() == 0) {
                throw new IOException("reset");
            }
            if ("3".equals(cursor)) {
                throw new IllegalStateException("refused");
            }
        };
        RecordingPublisher published = everything();
        assertThat(published.seals()).isEmpty();
        assertThat(published.records()).hasSize(3);
        assertThat(published.events(ScopeFailed.class))
                .extracting(ScopeFailed::getMessage)
                .containsExactly("refused");
        assertThat(shelf.answered).hasValue(3);
    }

    private RecordingPublisher everything() throws InterruptedException {
        try (TestRun<Shelf.Client> run = new TestRun<>(shelf, Settings.of(Map.of()), Set.of("a-secret"))) {
            return run.everything();
        }
    }

    /** Four pages of one book each. */
    private static final class Shelf implements Provider<Shelf.Client> {
        private interface Step<T> {
            void take(T what) throws Exception;
        }

        private final AtomicInteger answered = new AtomicInteger();
        private final Semaphore asked = new Semaphore(0);
        private volatile boolean isShareable;
        private volatile Step<String> before = cursor -> {};
        private volatile Step<Integer> each = item -> {};

        static final class Client implements AutoCloseable {
            @Override
            public void close() {}
        }

        @Override
        public String name() {
            return "shelf";
        }

        @Override
        public String title() {
            return "A test's";
        }

        @Override
        public Client connect(Settings settings) {
            return new Client();
        }

        @Override
        public boolean isShareable() {
            return isShareable;
        }

        @Override
        public List<Partition> partitions(Client client, Requests made) {
            return List.of(Partition.of("library"));
        }

        @Override
        public List<Resource<Client>> resources() {
            return List.of(Resource.root(
                    "book",
                    "id",
                    (client, where, out) -> out.pages(this::page, book -> {
                        each.take(book.get("number").intValue());
                        out.accept(book);
                    })));
        }

        private Page<ObjectNode> page(String cursor) throws Exception {
            asked.release();
            before.take(cursor);
            answered.incrementAndGet();
            int number = cursor == null ? 0 : Integer.parseInt(cursor);
            ObjectNode book = JsonNodeFactory.instance
                    .objectNode()
                    .put("id", "book-" + number)
                    .put("number", number);
            return new Page<>(List.of(book), number == 3 ? null : Integer.toString(number + 1));
        }

        @Override
        public Verdict classify(Throwable failure) {
            return failure instanceof IOException
                    ? new Verdict.RetryWithBackoff()
                    : new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure.getMessage()));
        }
    }
}
