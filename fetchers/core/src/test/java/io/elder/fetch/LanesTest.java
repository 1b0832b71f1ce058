package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class LanesTest {
    private final Set<Integer> done = ConcurrentHashMap.newKeySet();
    private final AtomicInteger opened = new AtomicInteger();
    private final AtomicInteger closed = new AtomicInteger();

    /** A lane that does this, and tells when it is made and closed. */
    private interface Step {
        void take(int each) throws StoppedException, InterruptedException;
    }

    private Lanes.Lane<Integer> lane(Step step) {
        opened.incrementAndGet();
        return new Lanes.Lane<>() {
            @Override
            public void take(Integer each) throws StoppedException, InterruptedException {
                step.take(each);
            }

            @Override
            public void close() {
                closed.incrementAndGet();
            }
        };
    }

    @Test
    void doEverythingSeveralAtOnce() throws Exception {
        // Each waits for three others.
        CountDownLatch together = new CountDownLatch(4);
        try (Lanes<Integer> lanes = new Lanes<>(
                4,
                () -> lane(each -> {
                    together.countDown();
                    together.await();
                    done.add(each);
                }))) {
            for (int i = 0; i < 100; i++) {
                lanes.give(i);
            }
            lanes.finish();
        }
        assertThat(done).hasSize(100);
        assertThat(opened).hasValue(4);
        assertThat(closed).hasValue(4);
    }

    @Test
    void endWithTheFirstFailureAlsoWhatIsUnderWay() {
        CountDownLatch never = new CountDownLatch(1);
        assertThatThrownBy(() -> {
                    try (Lanes<Integer> lanes = new Lanes<>(
                            3,
                            () -> lane(each -> {
                                if (each == 2) {
                                    throw new StoppedException(StopReason.FORBIDDEN, "no");
                                }
                                never.await();
                            }))) {
                        for (int i = 0; i < 1000; i++) {
                            lanes.give(i);
                        }
                        lanes.finish();
                    }
                })
                .isInstanceOf(StoppedException.class)
                .hasMessage("no");
        assertThat(closed).hasValue(3);
    }

    @Test
    void endWhenWhoWaitsForThemIsInterrupted() {
        CountDownLatch never = new CountDownLatch(1);
        assertThatThrownBy(() -> {
                    try (Lanes<Integer> lanes = new Lanes<>(2, () -> lane(each -> never.await()))) {
                        lanes.give(1);
                        Thread.currentThread().interrupt();
                        lanes.finish();
                    }
                })
                .isInstanceOf(InterruptedException.class);
        assertThat(closed).hasValue(2);
    }

    @Test
    void tellWhatTheLastOneFailedWith() {
        assertThatThrownBy(() -> {
                    try (Lanes<Integer> lanes = new Lanes<>(
                            2,
                            () -> lane(each -> {
                                throw new IllegalStateException("broken");
                            }))) {
                        lanes.give(1);
                        lanes.finish();
                    }
                })
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("broken");
    }

    @Test
    void anErrorOfALaneReachesWhoeverWaitsForAFreeOne() {
        assertThatThrownBy(() -> {
                    try (Lanes<Integer> lanes = new Lanes<>(
                            2,
                            () -> lane(each -> {
                                throw new StackOverflowError("of the test");
                            }))) {
                        for (int i = 0; i < 100; i++) {
                            lanes.give(i);
                        }
                    }
                })
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("a lane has ended")
                .hasCauseInstanceOf(StackOverflowError.class);
    }
}
