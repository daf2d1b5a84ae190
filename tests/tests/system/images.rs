//! The PE reader on whole images of both machines.

use qfe_patcher::image::Image;
use qfe_payloads::{Tree, updates};

#[test]
fn machine_time_and_version_of_every_sample_are_read() {
    for file in updates().iter().flat_map(|update| update.files) {
        for tree in [Tree::Baseline, Tree::Update] {
            let image = Image::read(&file.bytes(tree)).unwrap();
            assert_eq!(image.machine, file.platform.machine(), "{}", file.name);
            assert_eq!(image.time_stamp, file.time_stamp_in(tree), "{}", file.name);
            assert_eq!(image.version, Some(file.version_in(tree)), "{}", file.name);
            assert_eq!(image.language, Some(0x0409), "{}", file.name);
        }
    }
}

#[test]
fn images_cut_off_or_damaged_anywhere_give_no_panic_and_no_other_version() {
    let file = updates()[0].files[0];
    let image = file.updated();
    let whole = Image::read(&image).unwrap();
    for cut in (0..image.len()).step_by(61) {
        if let Ok(read) = Image::read(&image[..cut]) {
            assert_eq!((read.machine, read.time_stamp), (whole.machine, whole.time_stamp));
            assert!(read.version.is_none() || read.version == whole.version, "cut to {cut}");
            assert!(read.language.is_none() || read.language == whole.language, "cut to {cut}");
        }
    }
    for at in 0..0x400 {
        for value in [0x00, 0x7f, 0xff] {
            let mut image = image.clone();
            image[at] = value;
            let read = Image::read(&image);
            assert!(read.is_err() || read.is_ok_and(|read| read.machine.0 > 0 || at < 0x100));
        }
    }
}
