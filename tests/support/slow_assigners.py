"""Assigners prior by prior and object by object, in plain NumPy: what the compiled ones are compared with."""

import math

import numpy as np


def overlap(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = _area(a) + _area(b) - width * height
    return width * height / union if union > 1e-12 else 0.0


def _area(box):
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def depth(point, box):
    """How far a point lies within a box, negative outside."""
    return min(point[0] - box[0], point[1] - box[1], box[2] - point[0], box[3] - point[1])


def entropy(probability, target):
    logs = [math.log(max(p, 1e-45)) for p in (probability, 1 - probability)]
    yes, no = (max(log, -100.0) for log in logs)
    return -(target * yes + (1 - target) * no)


def paper_cost(scores, box_overlap, label):
    return abs(box_overlap - scores[label]) * entropy(scores[label], box_overlap) - box_overlap


def code_cost(scores, box_overlap, label):
    found = -3 * math.log(box_overlap + 1e-7)
    for place, score in enumerate(scores):
        target = box_overlap if place == label else 0.0
        found += (target - score) ** 2 * entropy(score, target)
    return found


def sim_ota_cost(scores, box_overlap, label):
    found = -3 * math.log(box_overlap + 1e-8)
    for place, score in enumerate(scores):
        found += entropy(math.sqrt(score), float(place == label))
    return found


def atss(scores, boxes, points, strides, truths, labels, *, nearest=9, side=8.0):
    squares = [
        (x - side * s / 2, y - side * s / 2, x + side * s / 2, y + side * s / 2)
        for (x, y), s in zip(points, strides, strict=True)
    ]
    best = {}
    for number, box in enumerate(truths):
        centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        candidates = []
        for stride in sorted(set(strides)):
            level = [p for p in range(len(points)) if strides[p] == stride]
            level.sort(key=lambda p: np.sum((points[p] - centre) ** 2))
            candidates += level[:nearest]
        overlaps = [overlap(squares[p], box) for p in candidates]
        deviation = np.std(overlaps, ddof=1) if len(overlaps) > 1 else 0.0
        least = (np.mean(overlaps) + deviation) * (1 - 1e-6)
        for p, found in zip(candidates, overlaps, strict=True):
            inside = depth(points[p], box) > 0.01
            if found >= least and inside and (p not in best or found > best[p][0]):
                best[p] = (found, number)
    owner = [best[p][1] if p in best else -1 for p in range(len(points))]
    return owner, _own_overlaps(boxes, truths, owner)


def task_aligned(scores, boxes, points, strides, truths, labels, *, top=10, a=0.5, b=6.0):
    def product(p, number):
        return scores[p][labels[number]] ** a * overlap(boxes[p], truths[number]) ** b

    claims = {p: [] for p in range(len(points))}
    for number, box in enumerate(truths):
        eligible = [p for p in range(len(points)) if depth(points[p], box) > 1e-9]
        for p in sorted(eligible, key=lambda p: -product(p, number))[:top]:
            claims[p].append(number)
    owner = []
    for p, claimants in claims.items():
        if len(claimants) > 1:  # whoever overlaps most, claimant or not
            claimants = [int(np.argmax([overlap(boxes[p], box) for box in truths]))]
        owner.append(claimants[0] if claimants else -1)
    quality = [0.0] * len(points)
    for number, box in enumerate(truths):
        own = [p for p in range(len(points)) if owner[p] == number]
        if own:
            best = max(overlap(boxes[p], box) for p in own)
            most = max(product(p, number) for p in own)
            for p in own:
                quality[p] = product(p, number) * (best / (most + 1e-9))
    return owner, quality


def dynamic(cost, conflicts, scores, boxes, points, strides, truths, labels, *, top=10, radius=2.5):
    """SimOTA's matching with any cost; `conflicts` says among whom a prior claimed twice is given."""
    objects = range(len(truths))

    def central(p, number):
        box = truths[number]
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        return max(abs(points[p] - middle)) < radius * strides[p]

    def boxed(p, number):
        return depth(points[p], truths[number]) > 0

    reached = [p for p in range(len(points)) if any(boxed(p, n) or central(p, n) for n in objects)]
    costs, claims = {}, {p: [] for p in reached}
    for number in objects:
        overlaps = {p: overlap(boxes[p], truths[number]) for p in reached}
        for p in reached:
            outside = not (boxed(p, number) and central(p, number))
            costs[p, number] = cost(scores[p], overlaps[p], labels[number]) + 1e8 * outside
        many = max(1, int(sum(sorted(overlaps.values(), reverse=True)[:top])))
        for p in sorted(reached, key=lambda p: costs[p, number])[:many]:
            claims[p].append(number)
    owner = [-1] * len(points)
    for p in reached:
        among = objects if conflicts == "all" and len(claims[p]) > 1 else claims[p]
        if claims[p]:
            owner[p] = min(among, key=lambda number: costs[p, number])
    return owner, _own_overlaps(boxes, truths, owner)


def _own_overlaps(boxes, truths, owner):
    return [
        overlap(boxes[p], truths[number]) if number >= 0 else 0.0 for p, number in enumerate(owner)
    ]


def _dynamic_by(cost, conflicts):
    def assign(*given, **settings):
        return dynamic(cost, conflicts, *given, **settings)

    return assign


SLOW = {
    "atss": atss,
    "sim_ota": _dynamic_by(sim_ota_cost, "all"),
    "task_aligned": task_aligned,
    "align_ota_paper": _dynamic_by(paper_cost, "claimants"),
    "align_ota_code": _dynamic_by(code_cost, "all"),
}
