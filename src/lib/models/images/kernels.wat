;; The loops over all pixels, four values at a time. Integers are Pillow's: 8-bit samples times weights of 22 bits, halves rounded up,
;; and what lies beyond 0 and 255, as bicubic weights may make it, is cut off by the narrowing.
;; `npm run kernels` writes this into kernels.ts. Every buffer has 16 bytes behind it that may be read and overwritten.
(module
  (memory (export "memory") 1)

  ;; Rows of RGB, each resized horizontally. Output pixel x is the sum of counts[x] source pixels from byte starts[x] of the row,
  ;; times the weights from values[x * stride]. Four lanes are red, green, blue, and whatever lies behind, which is overwritten.
  (func (export "across")
    (param $from i32) (param $rowBytes i32) (param $rows i32)
    (param $starts i32) (param $counts i32) (param $values i32) (param $stride i32)
    (param $width i32) (param $to i32)
    (local $x i32) (local $pixel i32) (local $weight i32) (local $end i32) (local $sum v128)
    (loop $row
      (local.set $x (i32.const 0))
      (loop $column
        (local.set $pixel (i32.add (local.get $from)
          (i32.load (i32.add (local.get $starts) (i32.shl (local.get $x) (i32.const 2))))))
        (local.set $weight (i32.add (local.get $values)
          (i32.mul (local.get $x) (i32.shl (local.get $stride) (i32.const 2)))))
        (local.set $end (i32.add (local.get $weight)
          (i32.shl (i32.load (i32.add (local.get $counts) (i32.shl (local.get $x) (i32.const 2)))) (i32.const 2))))
        (local.set $sum (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (loop $tap
          (local.set $sum (i32x4.add (local.get $sum) (i32x4.mul
            (v128.load32_splat (local.get $weight))
            (i32x4.extend_low_i16x8_u (i16x8.extend_low_i8x16_u (v128.load32_zero (local.get $pixel)))))))
          (local.set $pixel (i32.add (local.get $pixel) (i32.const 3)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (local.set $sum (i32x4.shr_s (local.get $sum) (i32.const 22)))
        (local.set $sum (i16x8.narrow_i32x4_u (local.get $sum) (local.get $sum)))
        (v128.store32_lane 0 (local.get $to) (i8x16.narrow_i16x8_u (local.get $sum) (local.get $sum)))
        (local.set $to (i32.add (local.get $to) (i32.const 3)))
        (local.set $x (i32.add (local.get $x) (i32.const 1)))
        (br_if $column (i32.lt_u (local.get $x) (local.get $width))))
      (local.set $from (i32.add (local.get $from) (local.get $rowBytes)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows))))

  ;; Output row y is the sum of counts[y] rows from byte starts[y] of the source, times the weights from values[y * stride]; 16
  ;; samples at a time.
  (func (export "down")
    (param $from i32) (param $rowBytes i32) (param $rows i32)
    (param $starts i32) (param $counts i32) (param $values i32) (param $stride i32)
    (param $to i32)
    (local $first i32) (local $i i32) (local $sample i32) (local $weight i32) (local $end i32)
    (local $v v128) (local $w v128) (local $half v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $stride (i32.shl (local.get $stride) (i32.const 2)))
    (loop $row
      (local.set $first (i32.add (local.get $from) (i32.load (local.get $starts))))
      (local.set $end (i32.add (local.get $values) (i32.shl (i32.load (local.get $counts)) (i32.const 2))))
      (local.set $i (i32.const 0))
      (loop $samples
        (local.set $sample (i32.add (local.get $first) (local.get $i)))
        (local.set $weight (local.get $values))
        (local.set $a (v128.const i32x4 0x200000 0x200000 0x200000 0x200000))
        (local.set $b (local.get $a))
        (local.set $c (local.get $a))
        (local.set $d (local.get $a))
        (loop $tap
          (local.set $w (v128.load32_splat (local.get $weight)))
          (local.set $v (v128.load (local.get $sample)))
          (local.set $half (i16x8.extend_low_i8x16_u (local.get $v)))
          (local.set $a (i32x4.add (local.get $a)
            (i32x4.mul (local.get $w) (i32x4.extend_low_i16x8_u (local.get $half)))))
          (local.set $b (i32x4.add (local.get $b)
            (i32x4.mul (local.get $w) (i32x4.extend_high_i16x8_u (local.get $half)))))
          (local.set $half (i16x8.extend_high_i8x16_u (local.get $v)))
          (local.set $c (i32x4.add (local.get $c)
            (i32x4.mul (local.get $w) (i32x4.extend_low_i16x8_u (local.get $half)))))
          (local.set $d (i32x4.add (local.get $d)
            (i32x4.mul (local.get $w) (i32x4.extend_high_i16x8_u (local.get $half)))))
          (local.set $sample (i32.add (local.get $sample) (local.get $rowBytes)))
          (local.set $weight (i32.add (local.get $weight) (i32.const 4)))
          (br_if $tap (i32.lt_u (local.get $weight) (local.get $end))))
        (v128.store (i32.add (local.get $to) (local.get $i)) (i8x16.narrow_i16x8_u
          (i16x8.narrow_i32x4_u
            (i32x4.shr_s (local.get $a) (i32.const 22)) (i32x4.shr_s (local.get $b) (i32.const 22)))
          (i16x8.narrow_i32x4_u
            (i32x4.shr_s (local.get $c) (i32.const 22)) (i32x4.shr_s (local.get $d) (i32.const 22)))))
        (local.set $i (i32.add (local.get $i) (i32.const 16)))
        (br_if $samples (i32.lt_u (local.get $i) (local.get $rowBytes))))
      (local.set $to (i32.add (local.get $to) (local.get $rowBytes)))
      (local.set $starts (i32.add (local.get $starts) (i32.const 4)))
      (local.set $counts (i32.add (local.get $counts) (i32.const 4)))
      (local.set $values (i32.add (local.get $values) (local.get $stride)))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
      (br_if $row (local.get $rows))))

  ;; RGB to three planes of float32: (sample / 255 - mean) / std, rounded after each step. The last four pixels may be done twice.
  (func (export "normalize")
    (param $from i32) (param $pixels i32) (param $to i32)
    (param $meanR f32) (param $meanG f32) (param $meanB f32) (param $stdR f32) (param $stdG f32) (param $stdB f32)
    (local $i i32) (local $plane i32) (local $out i32) (local $v v128)
    (local.set $plane (i32.shl (local.get $pixels) (i32.const 2)))
    (loop $four
      (local.set $v (v128.load (i32.add (local.get $from) (i32.mul (local.get $i) (i32.const 3)))))
      (local.set $out (i32.add (local.get $to) (i32.shl (local.get $i) (i32.const 2))))
      (v128.store (local.get $out) (f32x4.div (f32x4.sub (f32x4.div (f32x4.convert_i32x4_u
        (i8x16.swizzle (local.get $v) (v128.const i8x16 0 -1 -1 -1 3 -1 -1 -1 6 -1 -1 -1 9 -1 -1 -1)))
        (v128.const f32x4 255 255 255 255)) (f32x4.splat (local.get $meanR))) (f32x4.splat (local.get $stdR))))
      (local.set $out (i32.add (local.get $out) (local.get $plane)))
      (v128.store (local.get $out) (f32x4.div (f32x4.sub (f32x4.div (f32x4.convert_i32x4_u
        (i8x16.swizzle (local.get $v) (v128.const i8x16 1 -1 -1 -1 4 -1 -1 -1 7 -1 -1 -1 10 -1 -1 -1)))
        (v128.const f32x4 255 255 255 255)) (f32x4.splat (local.get $meanG))) (f32x4.splat (local.get $stdG))))
      (local.set $out (i32.add (local.get $out) (local.get $plane)))
      (v128.store (local.get $out) (f32x4.div (f32x4.sub (f32x4.div (f32x4.convert_i32x4_u
        (i8x16.swizzle (local.get $v) (v128.const i8x16 2 -1 -1 -1 5 -1 -1 -1 8 -1 -1 -1 11 -1 -1 -1)))
        (v128.const f32x4 255 255 255 255)) (f32x4.splat (local.get $meanB))) (f32x4.splat (local.get $stdB))))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      ;; Four at the end, where fewer are left.
      (if (i32.and (i32.lt_u (local.get $i) (local.get $pixels))
          (i32.gt_u (i32.add (local.get $i) (i32.const 4)) (local.get $pixels)))
        (then (local.set $i (i32.sub (local.get $pixels) (i32.const 4)))))
      (br_if $four (i32.lt_u (local.get $i) (local.get $pixels))))))
