package io.elder.sink;

final class SinkOnShapeBTest extends SinkContract {
    SinkOnShapeBTest() {
        super(ElderShape.B);
    }
}
